// An asynchronous copy of 16 bytes to where only 4 are aligned.
__global__ void copy_askew(const float* x, float* y) {
  FC_SHARED(float, tile, [36]);
  if (threadIdx.x == 0)
#if REPAIRED
    for (int i = 0; i < 4; ++i) copy_async<4>(&tile[1 + i], x + i);
#else
    copy_async<16>(&tile[1], x);
#endif
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  if (threadIdx.x < 4) y[threadIdx.x] = tile[1 + threadIdx.x];
}

bool misaligned_copy() {
  const Array<float> x(counted(4)), y(4);
  run(1, 32, [x = x.data(), y = y.data()] { copy_askew(x, y); });
  return y.read()[3] == 4;
}
