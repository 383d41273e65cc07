// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <string>

#include "config/settings.h"

namespace synward::config {

// The whole configuration, defaults included, as YAML that loads to equal settings again.
std::string dump(const Settings& settings);

}  // namespace synward::config
