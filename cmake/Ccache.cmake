# Compiles through ccache where it is installed and has a folder to write to, unless a launcher was
# chosen already. What one checkout compiled serves others: paths below the root are relative ones,
# for ccache and in what debuggers are told.
find_program(RIDGE_CCACHE ccache)
mark_as_advanced(RIDGE_CCACHE)
if(RIDGE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  file(WRITE ${PROJECT_BINARY_DIR}/ccache_probe.cpp "int probe;\n")
  execute_process(
    COMMAND ${RIDGE_CCACHE} ${CMAKE_CXX_COMPILER} -c ccache_probe.cpp -o ccache_probe.o
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed)  # a home that cannot be written to
    message(STATUS "ccache: left out, it cannot write its cache")
    return()
  endif()
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RIDGE_CCACHE})
  if(NOT DEFINED ENV{CCACHE_BASEDIR})
    set(CMAKE_CXX_COMPILER_LAUNCHER
        env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${RIDGE_CCACHE})
    add_compile_options(-fdebug-prefix-map=${PROJECT_SOURCE_DIR}=.)
  endif()
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
