// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/mapped_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "daemon/io/descriptor.h"

namespace synward {
namespace {

struct Header {
  std::array<char, 8> stamp;
  std::uint32_t kind, version;
  std::uint64_t record_size, records, secret;
  std::array<char, 40> boot_id;
  bool operator==(const Header&) const = default;
};

Header header_of(const FileLayout& layout, std::uint64_t records) {
  Header header{.stamp = {'s', 'y', 'n', 'w', 'a', 'r', 'd', '\n'},
                .kind = layout.kind,
                .version = layout.version,
                .record_size = layout.record_size,
                .records = records,
                .secret = layout.secret,
                .boot_id = {}};
  std::ifstream("/proc/sys/kernel/random/boot_id").read(header.boot_id.data(), 36);
  return header;
}

std::unexpected<std::string> failure(const std::string& path, std::string_view what) {
  return std::unexpected(fmt::format("{}: {}", path, what));
}

std::unexpected<std::string> system_failure(const std::string& path, std::string_view doing,
                                            int error) {
  return failure(path, fmt::format("cannot {}: {}", doing, std::strerror(error)));
}

}  // namespace

std::expected<MappedFile, std::string> MappedFile::map(const std::string& path, int fd,
                                                       std::size_t size) {
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return system_failure(path, "map it", errno);
  return MappedFile({static_cast<std::byte*>(memory), size});
}

MappedFile::~MappedFile() {
  if (!memory_.empty()) munmap(memory_.data(), memory_.size());
}

std::expected<MappedFile, std::string> MappedFile::open(const std::string& path,
                                                        const FileLayout& layout) {
  const io::Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid()) {
    if (errno == ENOENT) return std::unexpected(std::string());
    return system_failure(path, "open it", errno);
  }
  struct stat status{};
  Header found{};
  const bool whole = fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                     pread(file.get(), &found, sizeof found, 0) == sizeof found;
  Header expected = header_of(layout, found.records);
  if (whole && (found.boot_id != expected.boot_id || found.secret != expected.secret)) {
    expected.boot_id = found.boot_id;
    expected.secret = found.secret;
    // The machine was started anew, or the key was changed: nothing to wonder at.
    if (found == expected) return std::unexpected(std::string());
  }
  if (!whole || found != expected) return failure(path, "of another version, or damaged");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < header_size || (size - header_size) % layout.record_size != 0 ||
      (size - header_size) / layout.record_size != found.records) {
    return failure(path, "its size is not what it says");
  }
  return fill(path, file.get(), size);  // it may have holes
}

std::expected<MappedFile, std::string> MappedFile::make(const std::string& path,
                                                        const FileLayout& layout,
                                                        std::uint64_t records) {
  const std::uint64_t size = header_size + records * layout.record_size;
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());  // of a process that died here
  const io::Descriptor file(
      ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return system_failure(path, "make it", errno);
  auto made = fill(path, file.get(), size);
  if (made) {
    const Header header = header_of(layout, records);
    std::memcpy(made->memory_.data(), &header, sizeof header);
    if (rename(temporary.c_str(), path.c_str()) != 0) {
      made = system_failure(path, "put it in place", errno);
    }
  }
  if (!made) unlink(temporary.c_str());
  return made;
}

std::expected<MappedFile, std::string> MappedFile::fill(const std::string& path, int fd,
                                                        std::size_t size) {
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(size)); error != 0) {
    return system_failure(path, fmt::format("allocate {} bytes for it", size), error);
  }
  return map(path, fd, size);
}

}  // namespace synward
