// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

// The connection of ours that a backend's segment belongs to, or nullptr.
flow::Flow* connection_before_backend(Core& core, const wire::Segment& segment);
// A backend's segment for which there is none.
Decision not_ours(Core& core, const Arrival& arrival);

}  // namespace synward::engine
