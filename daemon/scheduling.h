// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <optional>

namespace synward {

// Of the calling thread, which is this worker's. What the kernel refuses is told in the log.
void pin_thread(unsigned worker, int cpu);
// Realtime (SCHED_FIFO) with a priority, else as everybody; false if refused.
bool schedule_thread(unsigned worker, std::optional<int> priority);

}  // namespace synward
