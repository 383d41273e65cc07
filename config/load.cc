// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/load.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <system_error>

#include "config/document.h"
#include "config/schema.h"

namespace synward::config {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }  // NOLINT(cert-err33-c): read only
};

Loaded unreadable(std::string what) {
  return {.settings = {}, .problems = {{1, 1, std::move(what)}}};
}

Loaded cannot_read(int error) {
  return unreadable(
      fmt::format("cannot read the file: {}", std::generic_category().message(error)));
}

// At most one byte more than a document may have: enough to see that it is too large, and /dev/zero
// comes to an end.
std::string read_bounded(std::FILE* file) {
  std::string text(document_bytes_max + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
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
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "re"));
  if (!file) return cannot_read(errno);
  errno = 0;
  const std::string text = read_bounded(file.get());
  if (std::ferror(file.get()) != 0) return cannot_read(errno);
  return load_text(text);
}

}  // namespace synward::config
