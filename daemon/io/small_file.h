// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <expected>
#include <string>

namespace synward::io {

// The whole of a file of /proc (whose size is not known before), errno on failure.
std::expected<std::string, int> read_small_file(const std::string& path);

}  // namespace synward::io
