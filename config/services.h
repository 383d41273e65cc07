// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <vector>

#include "config/section.h"
#include "config/settings.h"

namespace synward::config {

// The list under `services`: every service is read, however broken its neighbours are.
void read_services(Section& root, std::vector<Service>& services);

}  // namespace synward::config
