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

# ridge_find_framework(NAME): sets root to the folder that holds a framework: the one that
# RIDGE_<NAME>_ROOT names, else where scripts/frameworks says it is. Empty where there is none.
function(ridge_find_framework name)
  string(TOUPPER ${name} variable)
  set(found ${RIDGE_${variable}_ROOT})
  if(NOT found)
    execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/frameworks --list ${name}
                    OUTPUT_VARIABLE listed ERROR_QUIET)
    if(listed MATCHES "^${name}: (/[^\n]+)")
      set(found ${CMAKE_MATCH_1})
    endif()
  endif()
  set(root "${found}" PARENT_SCOPE)
endfunction()

# ridge_paths(TARGET name=path ...): defines what of tests/paths.h the target uses.
function(ridge_paths target)
  set(text "#include \"paths.h\"\n\n")
  foreach(pair ${ARGN})
    string(REGEX MATCH "^([a-z_]+)=(.*)$" matched "${pair}")
    string(APPEND text "std::string paths::${CMAKE_MATCH_1}() { return R\"(${CMAKE_MATCH_2})\"; }\n")
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}_paths.cpp)
  file(GENERATE OUTPUT ${source} CONTENT "${text}")
  target_sources(${target} PRIVATE ${source})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
endfunction()

# ridge_test(NAME SOURCES a.cpp ... DEPENDS base ... [LINK external ...] [LABELS fast]
#            [PATHS name=path ...])
# A GoogleTest program (with RapidCheck) whose every test ctest sees. Of tests/paths.h it has
# data() and here(), and what PATHS names.
function(ridge_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LINK;LABELS;PATHS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  ridge_paths(test_${name} data=${PROJECT_SOURCE_DIR}/data here=${CMAKE_CURRENT_SOURCE_DIR} ${ARG_PATHS})
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

# ridge_framework_test(WORKER TEST [VARIABLE=VALUE ...]): TEST_test.py of this folder, a unittest program on
# tests/worker/framework_case.py. A worker's threads are as many as the cores: two such tests at a time are
# taken for early returns.
function(ridge_framework_test worker test)
  add_test(NAME workers_${worker}_${test}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/${test}_test.py)
  set_tests_properties(workers_${worker}_${test} PROPERTIES LABELS worker TIMEOUT 600 RUN_SERIAL ON
    ENVIRONMENT "PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/worker;RIDGE_TEST_BINARY=$<TARGET_FILE:ridge>;RIDGE_TEST_WORKER=$<TARGET_FILE:ridge-worker-${worker}>;RIDGE_TEST_SIM=${RIDGE_SIM_FOLDER};RIDGE_TEST_OTHER_VERSION=$<TARGET_FILE:other_version>;${ARGN}")
endfunction()
