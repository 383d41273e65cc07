// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace synward::io {

std::expected<std::string, int> read_small_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(errno);
  std::string text;
  std::array<char, 4096> piece;
  ssize_t length = 0;
  while ((length = ::read(fd, piece.data(), piece.size())) > 0)
    text.append(piece.data(), static_cast<std::size_t>(length));
  const int error = errno;
  ::close(fd);
  if (length < 0) return std::unexpected(error);
  return text;
}

}  // namespace synward::io
