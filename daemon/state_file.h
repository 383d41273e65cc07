// SPDX-License-Identifier: GPL-2.0-or-later
//
// Small files beside the key, which a successor reads.
#pragma once
#include <string>
#include <string_view>

namespace synward {

// Whole or not at all: under another name first. False if it could not be written; what such files
// hold is never worth stopping for.
bool replace_file(const std::string& path, std::string_view text);

}  // namespace synward
