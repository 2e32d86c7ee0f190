// Asynchronous copies are read while the last group of them may still be under way.
__global__ void copy_through(const float* x, float* y) {
  FC_SHARED(float4, tile, [32]);
  const int t = threadIdx.x;
  copy_async<16>(&tile[t], x + 4 * t);
  copy_async_commit();
#if REPAIRED
  copy_async_wait<0>();
#else
  copy_async_wait<1>();
#endif
  __syncthreads();
  const float4 got = tile[31 - t];
  y[t] = got.x + got.y + got.z + got.w;
  copy_async_wait<0>();
}

bool missing_wait() {
  const Array<float> x(counted(128)), y(32);
  run(1, 32, [x = x.data(), y = y.data()] { copy_through(x, y); });
  const auto result = y.read();
  return result[31] == 10 && result[0] == 125 + 126 + 127 + 128;
}
