// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state_file.h"

#include <filesystem>
#include <fstream>

namespace synward {

bool replace_file(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << text;
    if (!file.flush()) return false;
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  return !error;
}

}  // namespace synward
