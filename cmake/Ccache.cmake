# Compiles through ccache where it is installed, unless a launcher was chosen already. What one
# checkout compiled serves others: paths below the root are relative ones, for ccache and in what
# debuggers are told.
find_program(RIDGE_CCACHE ccache)
mark_as_advanced(RIDGE_CCACHE)
if(RIDGE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RIDGE_CCACHE})
  if(NOT DEFINED ENV{CCACHE_BASEDIR})
    set(CMAKE_CXX_COMPILER_LAUNCHER
        env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${RIDGE_CCACHE})
    add_compile_options(-fdebug-prefix-map=${PROJECT_SOURCE_DIR}=.)
  endif()
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
