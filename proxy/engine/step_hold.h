// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

Decision hold(Core& core, const Arrival& arrival, flow::Flow& flow);

}  // namespace synward::engine
