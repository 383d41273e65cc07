// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/key_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "daemon/io/descriptor.h"
#include "daemon/state_file.h"

namespace synward {
namespace {

using handshake::MasterKey;

std::unexpected<std::string> failure(const std::string& path, std::string_view what) {
  return std::unexpected(fmt::format("cookies.key_file {}: {}", path, what));
}

std::string system_error(std::string_view doing) {
  return fmt::format("cannot {}: {}", doing, std::strerror(errno));
}

std::optional<MasterKey> parse_key(std::string_view text) {
  MasterKey key{};
  constexpr std::size_t digits = 2 * std::tuple_size_v<MasterKey>;
  if (text.size() == digits + 1 && text.back() == '\n') text.remove_suffix(1);
  if (text.size() != digits) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char* const at = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, key[i], 16);
    if (error != std::errc{} || end != at + 2) return std::nullopt;
  }
  return key;
}

std::expected<MasterKey, std::string> load(const std::string& path, int fd) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return failure(path, system_error("examine it"));
  if (!S_ISREG(status.st_mode)) return failure(path, "not a regular file");
  if ((status.st_mode & 077) != 0) {
    return failure(path, fmt::format("others may read it (mode {:04o}), so its cookies can be "
                                     "forged; `chmod 600 {}`",
                                     status.st_mode & 07777U, path));
  }
  std::array<char, 64> text{};
  const ssize_t length = read(fd, text.data(), text.size());
  if (length < 0) return failure(path, system_error("read it"));
  const auto key = parse_key({text.data(), static_cast<std::size_t>(length)});
  if (!key) {
    return failure(path,
                   "not a key: 32 hex digits and a newline are expected; remove the file "
                   "and a new key is made");
  }
  return *key;
}

// Under a temporary name first: a key that is half on disk would void every cookie after a crash.
// Two first starts at once agree on the one that has the name first.
std::expected<MasterKey, std::string> create(const std::string& path) {
  std::error_code error;
  const auto directory = std::filesystem::path(path).parent_path();
  if (!directory.empty() && !std::filesystem::exists(directory, error)) {
    std::filesystem::create_directories(directory, error);
    if (error) return failure(path, "cannot make its directory: " + error.message());
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  }
  MasterKey key{};
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
    return failure(path, system_error("get random bytes"));
  }
  std::string text;
  for (const std::uint8_t byte : key) text += fmt::format("{:02x}", byte);
  text += '\n';
  std::string temporary = path + ".XXXXXX";
  {
    const io::Descriptor file(mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
    if (!file.valid()) return failure(path, system_error("make it"));
    const bool written =
        write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        fsync(file.get()) == 0;
    if (!written) {
      const std::string what = system_error("write it");
      unlink(temporary.c_str());
      return failure(path, what);
    }
  }
  const bool named = link(temporary.c_str(), path.c_str()) == 0;
  const int error_of_link = errno;
  unlink(temporary.c_str());
  if (named) return key;
  if (error_of_link == EEXIST) return load_or_create_key(path);
  errno = error_of_link;
  return failure(path, system_error("name it"));
}

std::string read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

}  // namespace

std::expected<MasterKey, std::string> load_or_create_key(const std::string& path) {
  const io::Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.valid()) return load(path, file.get());
  if (errno == ENOENT) return create(path);
  return failure(path, system_error("open it"));
}

ClockAnchor::ClockAnchor(const std::string& key_path, Duration present)
    : path_(key_path + ".clock"), boot_id_(read_boot_id()), offset_(present) {
  std::ifstream file(path_);
  std::string boot_id;
  std::int64_t nanoseconds = 0;
  if (file >> boot_id >> nanoseconds && boot_id == boot_id_) {
    offset_ = Duration(nanoseconds);
  } else {
    keep();
  }
}

bool ClockAnchor::stepped(Duration present) {
  constexpr std::chrono::seconds tolerance{2};
  if (std::chrono::abs(present - offset_) <= tolerance) return false;
  offset_ = present;
  keep();
  return true;
}

// Best effort: without it, cookies under way at a restart after a step are lost, no more.
void ClockAnchor::keep() const {
  replace_file(path_, fmt::format("{} {}\n", boot_id_, offset_.count()));
}

}  // namespace synward
