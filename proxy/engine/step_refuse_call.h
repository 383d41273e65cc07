// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

// A SYN to a service with backends.
bool calls_translated(const Core& core, const wire::Segment& segment);
// To a listen, from where no connection with it can work.
Decision refuse_call(Core& core, Instant now, const wire::Segment& segment, Outbox& out);

}  // namespace synward::engine
