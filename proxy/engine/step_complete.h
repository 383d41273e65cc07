// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

Decision complete(Core& core, const Arrival& arrival, flow::Flow& flow);
// O3: tells the client the backend's window, and that again until it has been heard.
void open_window(Core& core, flow::Flow& flow, Instant now, Outbox& out);

}  // namespace synward::engine
