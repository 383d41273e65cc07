// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs a fuzz target over the files of a corpus, so that a compiler without libFuzzer tests them
// too: NAME DIRECTORY...
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t run_directory(const char* directory) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    std::cerr << entry.path().string() << '\n';  // the last one is the one that failed
    LLVMFuzzerTestOneInput(input.data(), input.size());
    ++files;
  }
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::size_t files = 0;
    for (int i = 1; i < argc; ++i) files += run_directory(argv[i]);
    // A corpus that went missing is no success.
    return files == 0 ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
