// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <system_error>

#include "config/document.h"
#include "config/schema.h"
#include "config/source.h"

namespace synward::config {
namespace {

Loaded unreadable(std::string what) {
  return {.settings = {}, .problems = {{1, 1, std::move(what)}}};
}

Loaded cannot_read(int error) {
  return unreadable(
      fmt::format("cannot read the file: {}", std::generic_category().message(error)));
}

// A pipe, as of `<(...)`, is read while somebody writes to it; but a FIFO without a writer, or one
// that says nothing, must not keep an operator or a reload waiting for ever.
constexpr std::chrono::seconds writer_patience{5};

std::string read_all(int fd, Loaded& failed) {
  // At most one byte more than a document may have: enough to see that it is too large, and
  // /dev/zero comes to an end.
  std::string text(document_bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    const std::chrono::milliseconds patience = writer_patience;
    if (poll(&ready, 1, static_cast<int>(patience.count())) == 0) {
      failed =
          unreadable(fmt::format("nobody has written to it for {} s", writer_patience.count()));
      break;
    }
    const ssize_t got = read(fd, text.data() + size, text.size() - size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) failed = cannot_read(errno);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

Loaded load_unguarded(std::string_view yaml) {
  if (yaml.size() > document_bytes_max) {
    return unreadable(fmt::format("the file is larger than {} bytes", document_bytes_max));
  }
  Loaded loaded;
  Problems problems;
  const Element root = parse_document(yaml, problems);
  read_settings(root, loaded.settings, problems);
  loaded.problems = std::move(problems).sorted();
  for (Problem& problem : loaded.problems)
    problem.what += endpoint_hint(line_of(yaml, problem.line));
  return loaded;
}

}  // namespace

Loaded load_text(std::string_view yaml) {
  try {
    return load_unguarded(yaml);
  } catch (const std::exception& error) {
    return unreadable(fmt::format("cannot be read: {}", error.what()));
  }
}

Loaded load_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return cannot_read(errno);
  Loaded failed;
  const std::string text = read_all(fd, failed);
  close(fd);
  return failed.problems.empty() ? load_text(text) : failed;
}

}  // namespace synward::config
