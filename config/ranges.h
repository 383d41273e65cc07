// SPDX-License-Identifier: GPL-2.0-or-later
//
// The range of every key, in the order of the file. config/synward.yaml states each to operators.
#pragma once
#include "config/names.h"
#include "config/units.h"

namespace synward::config::range {

using namespace std::chrono_literals;

inline constexpr std::size_t interfaces_max = 64;
inline constexpr std::size_t services_max = 1024;
inline constexpr std::size_t listens_max = 256;
// Of all services together: a listen has a number of 16 bits, and keeps it when it is retired.
inline constexpr std::size_t listens_total_max = 4096;
inline constexpr std::size_t backends_max = 64;  // one bit each in a flow
inline constexpr NumberIn backend_weight{1, 256};

// Per service; 0 is no limit.
inline constexpr RateIn synacks_per_prefix{0, 100'000'000};
inline constexpr NumberIn connections_per_source{0, 16'777'216};
inline constexpr RateIn connection_rate_per_source{0, 100'000'000};
inline constexpr NumberIn prefix_ipv4{8, 32};
inline constexpr NumberIn prefix_ipv6{16, 128};
inline constexpr std::size_t prefixes_max = 65536;
inline constexpr DurationIn health_interval{100ms, 1h};
inline constexpr DurationIn health_timeout{10ms, 60s};
inline constexpr NumberIn health_count{1, 100};

inline constexpr NumberIn backlog{1, 16'777'216};
inline constexpr DurationIn synack_timeout{10ms, 64s};
inline constexpr NumberIn synack_retries{0, 8};
inline constexpr PercentIn high_watermark{2, 100};  // there is room for low below it
inline constexpr PercentIn low_watermark{1, 99};

inline constexpr AbsolutePath key_file{4095};  // PATH_MAX - 1

inline constexpr NumberIn connections{1, 16'777'216};
inline constexpr DurationIn connect_timeout{100ms, 60s};
inline constexpr DurationIn idle{1s, 168h};
inline constexpr DurationIn half_closed_idle{1s, 168h};
inline constexpr SizeIn early_data_per_connection{1024, 1ULL << 20};
inline constexpr SizeIn early_data_total{1024, 1ULL << 40};
inline constexpr DurationIn adopt{0s, 24h};

inline constexpr RateIn tracked_syns{1, 100'000'000};
inline constexpr RateIn shield_unknown_segments{1, 100'000'000};

inline constexpr NumberOr workers{"auto", {1, 64}};
inline constexpr std::uint32_t queues_per_worker = 3;
inline constexpr NumberIn queue_start{0, 65536 - queues_per_worker};
inline constexpr NumberOr realtime{"off", {1, 99}};

inline constexpr AbsolutePath control_socket{107};  // sun_path - 1

}  // namespace synward::config::range
