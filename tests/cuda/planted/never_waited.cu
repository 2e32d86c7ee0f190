// A thread ends while asynchronous copies of its are under way.
__global__ void leave_early(const float* x, float* y) {
  FC_SHARED(float, tile, [32]);
  const int t = threadIdx.x;
  copy_async<4>(&tile[t], x + t);
  copy_async_commit();
#if REPAIRED
  copy_async_wait<0>();
#endif
  y[t] = x[t];
}

bool never_waited() {
  const Array<float> x(counted(32)), y(32);
  run(1, 32, [x = x.data(), y = y.data()] { leave_early(x, y); });
  return y.read()[31] == 32;
}
