// A worker whose framework is installed nowhere, unless LD_LIBRARY_PATH names its folder: then it
// starts, and ends at once with code 3.
int ghost();

int main() { return ghost(); }
