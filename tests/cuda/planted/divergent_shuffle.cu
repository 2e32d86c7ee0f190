// A shuffle that names all lanes, where half of the warp waits at a barrier.
__global__ void shuffle_apart(const float* x, float* y) {
  const int t = threadIdx.x;
#if REPAIRED
  const unsigned lanes = 0x0000ffffu;
#else
  const unsigned lanes = kAllLanes;
#endif
  float value = x[t];
  if (t < 16) value += __shfl_xor_sync(lanes, value, 1);
  __syncthreads();
  y[t] = value;
}

bool divergent_shuffle() {
  const Array<float> x(counted(32)), y(32);
  run(1, 32, [x = x.data(), y = y.data()] { shuffle_apart(x, y); });
  const auto result = y.read();
  return result[0] == 3 && result[31] == 32;
}
