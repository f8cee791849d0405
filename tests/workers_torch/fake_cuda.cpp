// NVIDIA's driver as the torch worker asks it, of a machine with one GPU and none of CUDA's
// libraries.
extern "C" {
int cuInit(unsigned) { return 0; }
int cuDeviceGetCount(int* count) {
  *count = 1;
  return 0;
}
int cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}
}
