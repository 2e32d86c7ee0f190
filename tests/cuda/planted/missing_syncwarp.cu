// The lanes of a warp read what their neighbours wrote; the shuffle between exchanges values but orders no memory.
__global__ void pass_along(const float* x, float* y) {
  FC_SHARED(float, tile, [64]);
  const int t = threadIdx.x;
  tile[t] = x[t];
  const float first = __shfl_sync(kAllLanes, x[t], 0);
#if REPAIRED
  __syncwarp();
#endif
  y[t] = tile[t ^ 1] + first;
}

bool missing_syncwarp() {
  const Array<float> x(counted(64)), y(64);
  run(1, 64, [x = x.data(), y = y.data()] { pass_along(x, y); });
  const auto result = y.read();
  return result[0] == 3 && result[63] == 63 + 33;
}
