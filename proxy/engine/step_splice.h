// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

Decision splice_segment(Core& core, const Arrival& arrival, flow::Flow& flow);
// As the tracker takes it: in the numbers of the client.
tcp::Seen seen(const flow::Flow& flow, Side from, const wire::Segment& segment);

}  // namespace synward::engine
