# Flags that every target shares, and the one way a room (a folder of src/) becomes a library.

set(JOULERY_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wformat=2 -Wvla
                     -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef)

add_library(joulery_flags INTERFACE)
target_compile_options(joulery_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:${JOULERY_WARNINGS}>
                       # clang says so where `omp simd` has no effect, as without optimisation
                       $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:Clang>>:-Wno-pass-failed>
                       -fno-omit-frame-pointer)
target_compile_definitions(joulery_flags INTERFACE _GNU_SOURCE JOULERY_VERSION="${PROJECT_VERSION}")
target_include_directories(joulery_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
if(JOULERY_WERROR)
  target_compile_options(joulery_flags INTERFACE -Werror)
endif()
if(JOULERY_SANITIZE)
  target_compile_options(joulery_flags INTERFACE -fsanitize=${JOULERY_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(joulery_flags INTERFACE -fsanitize=${JOULERY_SANITIZE})
endif()
if(JOULERY_FUZZ)
  target_compile_options(joulery_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# joulery_room(NAME SOURCES … USES …): a static library joulery_NAME from this folder's SOURCES.
function(joulery_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES" ${ARGN})
  add_library(joulery_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(joulery_${name} PUBLIC joulery_flags ${ROOM_USES})
endfunction()
