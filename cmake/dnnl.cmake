# oneDNN by its header and library: its own CMake package asks for OpenCL's headers, which nothing here needs.
find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(dnnl INTERFACE)
target_include_directories(dnnl SYSTEM INTERFACE ${DNNL_INCLUDE})
target_link_libraries(dnnl INTERFACE ${DNNL_LIBRARY})
