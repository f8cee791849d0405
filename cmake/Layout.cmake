# The layout in which `ridge` finds things from its own place: the same in the build folder, where
# `cmake --install` puts it, and in a package (scripts/package):
#   bin/ridge   libexec/ridge/ridge-worker-*   share/ridge/data   lib/ridge/*.so (packages only)

# ridge_program(TARGET FOLDER): an executable that is built, installed and packaged in FOLDER.
function(ridge_program target folder)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})
  install(TARGETS ${target} RUNTIME DESTINATION ${folder})
  file(RELATIVE_PATH libraries /${folder} /lib/ridge)
  if(APPLE)
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "@loader_path/${libraries}")
  else()
    # DT_RPATH, not DT_RUNPATH: it counts for the libraries of libraries too, and comes before
    # LD_LIBRARY_PATH, so that a package runs on what it was tested with.
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${libraries}")
    target_link_options(${target} PRIVATE LINKER:--disable-new-dtags)
  endif()
endfunction()

# ridge_worker(TARGET): an executable named ridge-worker-NAME, which `ridge` is to find.
function(ridge_worker target)
  ridge_program(${target} libexec/ridge)
  if(CMAKE_SYSTEM_NAME STREQUAL Linux)
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/worker/sdk/forget_environment.cpp)
  endif()
  if(NOT TARGET workers)
    add_custom_target(workers)
  endif()
  add_dependencies(workers ${target})
endfunction()
