# A program of somebody else's: installs the library into an empty prefix and builds and runs examples/energy.c
# against it, by pkg-config with the shared library and with the archive, and by find_package.
#   cmake -DBUILD=… -DSOURCE=… -DCOMPILER=… -DGENERATOR=… -DLIBDIR=… -DVERSION=… -P consumer.cmake
set(folder ${BUILD}/tests/api/consumer)
set(prefix ${folder}/prefix)
file(REMOVE_RECURSE ${folder})
file(MAKE_DIRECTORY ${folder})
unset(ENV{JOULERY_SOCKET})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}: ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(pkg_config variable)
  execute_process(COMMAND pkg-config ${ARGN} joulery OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(words UNIX_COMMAND "${words}")
  set(${variable} ${words} PARENT_SCOPE)
endfunction()

# Three steps, each with an energy: no "nan".
function(check program)
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${program})
  string(REGEX MATCHALL "step [1-3] [^\n]* [0-9.]+ J \\+- [0-9.]+ J" steps "${output}")
  list(LENGTH steps count)
  if(NOT count EQUAL 3)
    message(FATAL_ERROR "${program}: expected three energies, found\n${output}")
  endif()
  message(STATUS "${program}\n${output}")
endfunction()

# No name of the library's own may meet one of the program's.
function(check_symbols file)
  run(nm --defined-only --extern-only ${ARGN} ${file})
  string(REGEX MATCHALL " [A-Za-z] [^\n]+" symbols "${output}")
  list(FILTER symbols EXCLUDE REGEX "^ T joulery_[a-z]+$")
  if(symbols OR NOT output MATCHES " T joulery_open")
    message(FATAL_ERROR "${file}: expected no symbols but joulery_…, found ${symbols}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} --component library)

# moved: an installed tree must not know where it was made
file(RENAME ${prefix} ${prefix}_moved)
set(prefix ${prefix}_moved)
set(library ${prefix}/${LIBDIR})
set(example ${SOURCE}/examples/energy.c)

set(ENV{PKG_CONFIG_PATH} ${library}/pkgconfig)
pkg_config(version --modversion)
if(NOT version STREQUAL VERSION)
  message(FATAL_ERROR "pkg-config: expected version ${VERSION}, found ${version}")
endif()
pkg_config(flags --cflags --libs)
run(${COMPILER} -std=c17 -Wall -Werror -o ${folder}/shared ${example} ${flags})
check(${folder}/shared)

check_symbols(${library}/libjoulery.so -D)
check_symbols(${library}/libjoulery.a)

# with the archive alone the linker can't take the shared one
file(MAKE_DIRECTORY ${folder}/archive/${LIBDIR})
file(COPY ${library}/libjoulery.a ${library}/pkgconfig DESTINATION ${folder}/archive/${LIBDIR})
file(COPY ${prefix}/include DESTINATION ${folder}/archive)
set(ENV{PKG_CONFIG_PATH} ${folder}/archive/${LIBDIR}/pkgconfig)
pkg_config(flags --static --cflags --libs)
run(${COMPILER} -std=c17 -Wall -Werror -o ${folder}/static ${example} ${flags})
check(${folder}/static)

file(WRITE ${folder}/project/CMakeLists.txt "cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES C)
find_package(joulery ${VERSION} REQUIRED)
add_executable(energy ${example})
target_link_libraries(energy PRIVATE joulery::joulery)
")
run(${CMAKE_COMMAND} -G ${GENERATOR} -DCMAKE_C_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${prefix}
    -S ${folder}/project -B ${folder}/project/build)
run(${CMAKE_COMMAND} --build ${folder}/project/build)
check(${folder}/project/build/energy)
