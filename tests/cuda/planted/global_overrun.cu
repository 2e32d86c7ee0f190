// The last block forgets that the array ends before it does.
__global__ void twice(const float* x, float* y, int size) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (REPAIRED && i >= size) return;
  y[i] = 2 * x[i];
}

bool global_overrun() {
  const Array<float> x(counted(100)), y(100);
  run(4, 32, [x = x.data(), y = y.data()] { twice(x, y, 100); });
  return y.read()[99] == 200;
}
