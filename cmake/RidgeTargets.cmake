# One library a folder of src/, linked exactly as docs/architecture.md says; tests/layering reads
# the #include edges and holds them against the same table.

include(CheckIPOSupported)

add_library(ridge_options INTERFACE)
target_include_directories(ridge_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_features(ridge_options INTERFACE cxx_std_20)
target_compile_options(ridge_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow
                                               -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(ridge_options INTERFACE -Wno-restrict)  # false alarms: GCC bug 105651
endif()
if(RIDGE_SANITIZE)
  target_compile_options(ridge_options INTERFACE -fsanitize=${RIDGE_SANITIZE}
                                                 -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(ridge_options INTERFACE -fsanitize=${RIDGE_SANITIZE})
endif()

# ridge_library(NAME SOURCES a.cpp ... DEPENDS base ... [LINK external ...] [PRIVATE external ...])
function(ridge_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINK;PRIVATE" ${ARGN})
  add_library(ridge_${name} STATIC ${ARG_SOURCES})
  set_target_properties(ridge_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  list(TRANSFORM ARG_DEPENDS PREPEND ridge_)
  target_link_libraries(ridge_${name} PUBLIC ridge_options ${ARG_DEPENDS} ${ARG_LINK}
                                      PRIVATE ${ARG_PRIVATE})
endfunction()

# ridge_test(NAME SOURCES a.cpp ... DEPENDS base ... [LINK external ...] [LABELS fast])
# A GoogleTest program (with RapidCheck) whose every test ctest sees.
function(ridge_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LINK;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPENDS PREPEND ridge_)
  target_link_libraries(test_${name} PRIVATE ridge_options ${ARG_DEPENDS} ${ARG_LINK}
                                             GTest::gtest_main)
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND test_${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  if("fast" IN_LIST ARG_LABELS)
    add_dependencies(fast_tests test_${name})
  endif()
endfunction()
