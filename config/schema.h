// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "config/document.h"
#include "config/problem.h"
#include "config/settings.h"

namespace synward::config {

// Fills the settings from the root of a document, and reports all that does not fit the schema.
void read_settings(const Element& root, Settings& settings, Problems& problems);

}  // namespace synward::config
