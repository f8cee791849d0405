// Stands for libnvidia-ml.so.1 in tests: three devices. The first answers everything, the second
// refuses most, the third cannot be opened.
#include <cstdio>
#include <cstring>

extern "C" {

struct FakeDevice {
  unsigned index;
};
struct FakeMemory {
  unsigned long long total, free, used;
};

static FakeDevice devices[2] = {{0}, {1}};
static int initialised = 0;
constexpr int kOk = 0, kNotSupported = 3, kNoPermission = 4, kTooSmall = 7;

int nvmlInit_v2() { return ++initialised, kOk; }
int nvmlShutdown() { return --initialised, kOk; }
int ridge_fake_users() { return initialised; }
const char* nvmlErrorString(int status) {
  return status == kNotSupported   ? "Not Supported"
         : status == kNoPermission ? "Insufficient Permissions"
                                   : "Other";
}
int nvmlSystemGetDriverVersion(char* text, unsigned length) {
  return std::snprintf(text, length, "580.65.06"), kOk;
}
int nvmlSystemGetCudaDriverVersion_v2(int* version) { return *version = 13010, kOk; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = 3, kOk; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, FakeDevice** out) {
  if (index > 1) return kNoPermission;
  return *out = &devices[index], kOk;
}
int nvmlDeviceGetName(FakeDevice* d, char* text, unsigned length) {
  // The second's has no end: it fills all the room that it was given.
  if (d->index == 1) return std::memset(text, 'A', length), kOk;
  return std::snprintf(text, length, "NVIDIA H200"), kOk;
}
int nvmlDeviceGetUUID(FakeDevice* d, char* text, unsigned length) {
  if (d->index == 1) return kNotSupported;
  return std::snprintf(text, length, "GPU-1234"), kOk;
}
int nvmlDeviceGetMemoryInfo(FakeDevice* d, FakeMemory* out) {
  if (d->index == 1) return kNotSupported;
  return *out = {150754820096ull, 150000000000ull, 754820096ull}, kOk;
}
#define RIDGE_FAKE(NAME, TYPE, VALUE)        \
  int NAME(FakeDevice* d, TYPE* out) {       \
    if (d->index == 1) return kNotSupported; \
    return *out = VALUE, kOk;                \
  }
RIDGE_FAKE(nvmlDeviceGetMemoryBusWidth, unsigned, 6144)
RIDGE_FAKE(nvmlDeviceGetNumGpuCores, unsigned, 16896)
RIDGE_FAKE(nvmlDeviceGetEnforcedPowerLimit, unsigned, 700000)
RIDGE_FAKE(nvmlDeviceGetPowerUsage, unsigned, 75500)
RIDGE_FAKE(nvmlDeviceGetPersistenceMode, unsigned, 1)
RIDGE_FAKE(nvmlDeviceGetCurrPcieLinkGeneration, unsigned, 4)
RIDGE_FAKE(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, 5)
RIDGE_FAKE(nvmlDeviceGetCurrPcieLinkWidth, unsigned, 8)
RIDGE_FAKE(nvmlDeviceGetMaxPcieLinkWidth, unsigned, 16)
RIDGE_FAKE(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, 0x1004ull)
int nvmlDeviceGetTemperature(FakeDevice* d, unsigned sensor, unsigned* out) {
  return *out = 30 + sensor + d->index, kOk;
}
int nvmlDeviceGetClockInfo(FakeDevice*, unsigned type, unsigned* out) {
  return *out = type == 1 ? 345 : 2619, kOk;
}
int nvmlDeviceGetMaxClockInfo(FakeDevice*, unsigned type, unsigned* out) {
  return *out = type == 1 ? 1980 : 3201, kOk;
}
int nvmlDeviceGetCudaComputeCapability(FakeDevice* d, int* major, int* minor) {
  *major = d->index == 1 ? 99 : 9;
  return *minor = 0, kOk;
}
int nvmlDeviceGetEccMode(FakeDevice* d, unsigned* now, unsigned* pending) {
  if (d->index == 1) return kNotSupported;
  *now = 1;
  return *pending = 0, kOk;
}
// nvmlDeviceGetMigMode is left out: an older driver.
int nvmlDeviceGetComputeRunningProcesses_v3(FakeDevice* d, unsigned* count, void*) {
  if (d->index == 1) return *count = 0, kOk;
  return *count = 2, kTooSmall;
}
}
