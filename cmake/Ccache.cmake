# Compiles through ccache where it is installed, unless a launcher was chosen already.
find_program(RIDGE_CCACHE ccache)
mark_as_advanced(RIDGE_CCACHE)
if(RIDGE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${RIDGE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RIDGE_CCACHE})
endif()
