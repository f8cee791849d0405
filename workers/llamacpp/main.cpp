#include "llamacpp_worker.h"

int main(int argc, char** argv) {
  ridge::llamacpp::LlamacppWorker worker;
  return ridge::sdk::serve(argc, argv, worker);
}
