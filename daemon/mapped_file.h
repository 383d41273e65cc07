// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <utility>

namespace synward {

// What a file holds. One that was written for anything else is refused.
struct FileLayout {
  std::uint32_t kind = 0;     // FOURCC of what it is
  std::uint32_t version = 1;  // of the records' layout
  std::uint64_t record_size = 0;
  std::uint64_t secret = 0;  // of the key by which records are found; 0: by none
};

// A file of records, mapped: what is written to its memory is there for the next
// process, however this one ends. Its blocks are allocated at once, so that a full file system is
// an error at the start and never a SIGBUS. Within one boot: times in it are the boot clock's.
class MappedFile {
 public:
  // The file as a process left it. An error says why it is of no use: "" if there is none, or it is
  // of an earlier boot or another key.
  static std::expected<MappedFile, std::string> open(const std::string& path,
                                                     const FileLayout& layout);
  // All zero, in place of what is there; who has that mapped keeps it.
  static std::expected<MappedFile, std::string> make(const std::string& path,
                                                     const FileLayout& layout,
                                                     std::uint64_t records);
  MappedFile(MappedFile&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Record: as large as the layout says, any bit pattern a value of it.
  template <class Record>
  std::span<Record> records() const {
    return {reinterpret_cast<Record*>(memory_.data() + header_size),
            (memory_.size() - header_size) / sizeof(Record)};
  }

 private:
  static constexpr std::size_t header_size = 4096;  // records begin on a page

  explicit MappedFile(std::span<std::byte> memory) : memory_(memory) {}
  static std::expected<MappedFile, std::string> map(const std::string& path, int fd,
                                                    std::size_t size);
  // Allocates all of it first.
  static std::expected<MappedFile, std::string> fill(const std::string& path, int fd,
                                                     std::size_t size);

  std::span<std::byte> memory_;
};

}  // namespace synward
