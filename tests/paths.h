#pragma once

#include <string>

// Where what a test reads and starts lies. ridge_test() and ridge_paths()
// (cmake/RidgeTargets.cmake) define these in a source of their own, so that nothing else that is
// compiled depends on where the checkout stands: ccache serves the next one.
namespace paths {

std::string data();    // the repository's data/
std::string here();    // the folder of the test's sources
std::string worker();  // the worker that the test starts
std::string fake_nvml();
std::string ghost_library_folder();
std::string ghost_other_folder();

}  // namespace paths
