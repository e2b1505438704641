# libcurl by its header alone: the library is loaded when there is a wattmeter to ask.
find_path(CURL_INCLUDE curl/curl.h REQUIRED)
add_library(curl_headers INTERFACE)
target_include_directories(curl_headers SYSTEM INTERFACE ${CURL_INCLUDE})
