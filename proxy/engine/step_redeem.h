// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

Decision redeem(Core& core, const Arrival& arrival);

}  // namespace synward::engine
