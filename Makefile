# The short way to everything. The build itself is CMake's: see CMakePresets.json.

BUILD   := build/release
DEMO_DB := build/demo/quick.db

.PHONY: build demo test check bench install clean

build:
	./setup
	@test -f $(BUILD)/build.ninja || cmake --preset release
	cmake --build --preset release

# Measures a small study on this machine and makes its page.
demo: build
	mkdir -p build/demo
	$(BUILD)/bin/joulery study run studies/quick.yaml --db $(DEMO_DB)
	$(BUILD)/bin/joulery report $(DEMO_DB) -o build/demo/report.html

test: build
	ctest --preset release

# What CI runs after `make test`: sanitizers over the whole suite, and the fuzz targets for a short time.
check:
	./setup
	cmake --preset asan
	cmake --build --preset asan
	ctest --preset asan
	cmake --preset tsan
	cmake --build --preset tsan
	ctest --preset tsan
	cmake --preset fuzz
	cmake --build --preset fuzz
	ctest --preset fuzz

bench: build
	bench/run

install: build
	cmake --install $(BUILD)

clean:
	rm -rf build
