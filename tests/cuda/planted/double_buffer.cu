// Two buffers with one barrier between loading and using: the next step overwrites what slow threads still read.
__global__ void sum_of_steps(const float* x, float* y, int steps) {
  FC_SHARED(float, stage, [2][64]);
  const int t = threadIdx.x;
  float sum = 0;
  stage[0][t] = x[t];
  __syncthreads();
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) stage[(step + 1) % 2][t] = x[64 * (step + 1) + t];
#if REPAIRED
    for (int i = 0; i < 64; ++i) sum += stage[step % 2][i];
    __syncthreads();
#else
    __syncthreads();
    for (int i = 0; i < 64; ++i) sum += stage[step % 2][i];
#endif
  }
  y[t] = sum;
}

bool double_buffer() {
  const Array<float> x(counted(256)), y(64);
  run(1, 64, [x = x.data(), y = y.data()] { sum_of_steps(x, y, 4); });
  const auto result = y.read();
  return result[0] == 128 * 257 && result[63] == 128 * 257;
}
