// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/settings.h"

#include <array>

namespace synward::config {

Settings::Settings()
    : metrics_listen{wire::Address::from_ipv4(std::array<std::uint8_t, 4>{127, 0, 0, 1}), 9477} {}

}  // namespace synward::config
