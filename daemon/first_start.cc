// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/first_start.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "daemon/service/log.h"
#include "daemon/state_file.h"

namespace synward {

FirstStart read_first_start(const std::string& path, Instant now) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {.at = now, .is_this_one = true};
  std::ifstream file(path);
  std::int64_t nanoseconds = 0;
  const bool readable = file >> nanoseconds && Instant(Duration(nanoseconds)) <= now;
  return {.at = readable ? Instant(Duration(nanoseconds)) : Instant::min(), .is_this_one = false};
}

void note_first_start(const std::string& path, const FirstStart& first) {
  if (!first.is_this_one) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (!replace_file(path, fmt::format("{}\n", first.at.time_since_epoch().count()))) {
    service::log_warning("cannot write {}: the next start, too, will take connections over", path);
  }
}

}  // namespace synward
