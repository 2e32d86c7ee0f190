// Two warps multiply out of one tile, which the next step fills again without a barrier after the product.
__global__ void multiply_steps(const unsigned* x, float* y, int steps) {
  FC_SHARED(unsigned, tile, [64]);  // pairs of bfloat16
  const int t = threadIdx.x;
  MmaSums sums{};
  for (int step = 0; step < steps; ++step) {
    tile[t] = x[64 * step + t];
    __syncthreads();
    MmaFactors factors;
    for (int i = 0; i < 4; ++i) factors.a[i] = tile[(t + 16 * i) % 64];
    for (int i = 0; i < 2; ++i) factors.b[i] = tile[(t + 32 * i) % 64];
    mma_bf16(sums, factors);
#if REPAIRED
    __syncthreads();
#endif
  }
  y[t] = sums.c[0];
}

bool mma_loop() {
  std::vector<unsigned> ones_then_twos(128, 0x3f803f80u);
  for (int i = 64; i < 128; ++i) ones_then_twos[i] = 0x40004000u;
  const Array<unsigned> x(ones_then_twos);
  const Array<float> y(64);
  run(1, 64, [x = x.data(), y = y.data()] { multiply_steps(x, y, 2); });
  const auto result = y.read();
  return result[0] == 16 + 64 && result[63] == 16 + 64;
}
