// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/catalogue.h"

#include <algorithm>

#include "daemon/metrics/writers.h"
#include "proxy/tcp/state.h"

namespace synward::metrics {
namespace {

using std::string_view;
constexpr auto counter = prometheus::MetricType::Counter;
constexpr auto gauge = prometheus::MetricType::Gauge;
constexpr auto histogram = prometheus::MetricType::Histogram;

// Values stand in the order of the enumerations in proxy/counters.h.
constexpr string_view sides[] = {"client", "backend"};
constexpr string_view directions[] = {"to_backend", "to_client"};
constexpr string_view redeem_sources[] = {"queue", "cookie"};
constexpr string_view reject_reasons[] = {"mac", "replayed"};
constexpr string_view options_left_out[] = {"fast_open", "multipath", "authentication"};
constexpr string_view close_reasons[] = {
    "fin", "reset", "idle", "backend_refused", "backend_timeout", "shutdown", "displaced"};
static_assert(std::size(close_reasons) == close_reason_count);
constexpr string_view ways_given[] = {"silence", "share"};
constexpr string_view failure_reasons[] = {"refused", "timeout", "unreachable"};
static_assert(std::size(failure_reasons) == backend_failure_count);
constexpr string_view drop_reasons[] = {
#define SYNWARD_REASON_LABEL(name, text) #name,
    SYNWARD_REASONS(SYNWARD_REASON_LABEL)
#undef SYNWARD_REASON_LABEL
};
constexpr string_view splice_engines[] = {"kernel", "userspace"};
constexpr string_view queue_roles[] = {"syn", "flow"};
constexpr string_view queue_drop_kinds[] = {"full", "socket"};

constexpr Label service{"protected_service", {}};
constexpr Label backend{"backend", {}};
constexpr Label direction{"direction", directions};
constexpr Label queue{"queue", {}};
constexpr Label role{"role", queue_roles};

using S = ServiceCounters;
using P = ProcessStatistics;

// A HELP text is one line: prometheus-cpp does not escape it.
constexpr Metric metrics[] = {
    {"synward_half_open_connections",
     gauge,
     {service},
     "Handshakes in progress that the half-open queue remembers.",
     per_service<&S::half_open_connections>},
    {"synward_half_open_peak",
     gauge,
     {service},
     "Most half-open connections at once since the start.",
     write_half_open_peak},
    {"synward_half_open_limit",
     gauge,
     {service},
     "Bound of the half-open queue.",
     per_service<&S::half_open_limit>},
    {"synward_half_open_untracked_total",
     counter,
     {service},
     "SYNs answered with a cookie alone, without an entry in the half-open queue.",
     per_service<&S::half_open_untracked>},
    {"synward_half_open_expired_total",
     counter,
     {service},
     "Half-open entries that ended because the client never answered.",
     per_service<&S::half_open_expired>},
    {"synward_half_open_reset_total",
     counter,
     {service},
     "Half-open entries that the client's RST ended.",
     per_service<&S::half_open_reset>},
    {"synward_half_open_displaced_total",
     counter,
     {service},
     "Half-open entries that gave way to newer ones; their cookies stay valid.",
     per_service<&S::half_open_displaced>},
    {"synward_spent_cookies_forgotten_total",
     counter,
     {service},
     "Redeemed cookies forgotten before they expired: too many to remember.",
     per_service<&S::spent_cookies_forgotten>},
    {"synward_syns_received_total",
     counter,
     {service},
     "Valid SYNs from clients, retransmissions included.",
     per_service<&S::syns_received>},
    {"synward_options_left_out_total",
     counter,
     {service, {"option", options_left_out}},
     "SYNs with an option that the challenge leaves out on purpose.",
     per_service_by_label<&S::options_left_out>},
    {"synward_client_syn_retransmits_total",
     counter,
     {service},
     "SYNs for an entry that the half-open queue holds already.",
     per_service<&S::client_syn_retransmits>},
    {"synward_synacks_sent_total",
     counter,
     {service},
     "SYN-ACKs sent to clients, retransmissions included.",
     per_service<&S::synacks_sent>},
    {"synward_synack_retransmits_total",
     counter,
     {service},
     "SYN-ACKs that the retransmission timer sent.",
     per_service<&S::synack_retransmits>},
    {"synward_cookies_redeemed_total",
     counter,
     {service, {"source", redeem_sources}},
     "Handshakes that clients completed, with the entry in the half-open queue or from the cookie "
     "alone.",
     per_service_by_label<&S::cookies_redeemed>},
    {"synward_cookies_rejected_total",
     counter,
     {service, {"reason", reject_reasons}},
     "Acknowledgements whose cookie is wrong or was used before.",
     per_service_by_label<&S::cookies_rejected>},
    {"synward_backend_syns_sent_total",
     counter,
     {service, backend},
     "SYNs sent to the backend, retransmissions included.",
     write_backend_syns_sent},
    {"synward_backend_syn_retransmits_total",
     counter,
     {service, backend},
     "SYNs sent to the backend again because it did not answer.",
     write_backend_syn_retransmits},
    {"synward_backend_failures_total",
     counter,
     {service, backend, {"reason", failure_reasons}},
     "Connections that the backend did not accept.",
     write_backend_failures},
    {"synward_connections",
     gauge,
     {service, {"side", sides}, {"state", tcp::state_names}},
     "Connections by the TCP state of each endpoint.",
     write_connections},
    {"synward_connections_spliced_total",
     counter,
     {service, {"engine", splice_engines}},
     "Connections joined with a backend.",
     write_connections_spliced},
    {"synward_connections_closed_total",
     counter,
     {service, {"reason", close_reasons}},
     "Connections that ended.",
     per_service_by_label<&S::connections_closed>},
    {"synward_connections_gave_way_total",
     counter,
     {service, {"cause", ways_given}},
     "Connections ended before their time as the table was filling: silent, or of a network or "
     "service above its share.",
     per_service_by_label<&S::connections_gave_way>},
    {"synward_segment_retransmits_total",
     counter,
     {service, direction},
     "Segments that an endpoint sent again.",
     per_service_by_label<&S::segment_retransmits>},
    {"synward_segments_translated_total",
     counter,
     {service, direction},
     "Segments translated between client and backend in user space.",
     per_service_by_label<&S::segments_translated>},
    {"synward_bytes_translated_total",
     counter,
     {service, direction},
     "Payload bytes of the translated segments.",
     per_service_by_label<&S::bytes_translated>},
    {"synward_dropped_packets_total",
     counter,
     {service, {"reason", drop_reasons}},
     "Packets dropped; protected_service is none where it cannot be known.",
     write_dropped_packets},
    {"synward_handshake_seconds",
     histogram,
     {service},
     "From the challenge to the acknowledgement that redeems it (tracked handshakes only).",
     histogram_per_service<&S::handshake>},
    {"synward_backend_connect_seconds",
     histogram,
     {service},
     "From the SYN to the backend to its SYN-ACK.",
     histogram_per_service<&S::backend_connect>},
    {"synward_early_data_bytes",
     gauge,
     {service},
     "Client data held until the backend has answered.",
     per_service<&S::early_data_bytes>},
    {"synward_early_data_dropped_total",
     counter,
     {service},
     "Segments with early data that could not be held and must be sent again.",
     per_service<&S::early_data_dropped>},
    {"synward_queue_depth",
     gauge,
     {queue, role},
     "Packets that wait in the netfilter queue; segments of large packets count with flow.",
     write_queue_depth},
    {"synward_queue_dropped_total",
     counter,
     {queue, role, {"kind", queue_drop_kinds}},
     "Packets that the kernel dropped before the daemon saw them: queue full, or socket buffer "
     "full; segments of large packets count with flow.",
     write_queue_dropped},
    {"synward_build_info",
     gauge,
     {{{"version", {}}, {"compiler", {}}}},
     "Always 1; the labels tell which build runs.",
     write_build_info},
    {"synward_config_last_reload_successful",
     gauge,
     {},
     "1 if the last load of the configuration succeeded, 0 if it was refused and the former one "
     "stays.",
     write_reload_successful},
    {"synward_config_last_reload_timestamp_seconds",
     gauge,
     {},
     "When the configuration was last loaded or refused, in seconds since 1970.",
     write_reload_timestamp},
    {"process_cpu_seconds_total",
     counter,
     {},
     "User and system CPU time in seconds.",
     process_value<&P::cpu_seconds>},
    {"process_open_fds", gauge, {}, "Open file descriptors.", process_value<&P::open_fds>},
    {"process_max_fds", gauge, {}, "Limit of open file descriptors.", process_value<&P::max_fds>},
    {"process_virtual_memory_bytes",
     gauge,
     {},
     "Virtual memory size in bytes.",
     process_value<&P::virtual_memory_bytes>},
    {"process_resident_memory_bytes",
     gauge,
     {},
     "Resident memory size in bytes.",
     process_value<&P::resident_memory_bytes>},
    {"process_start_time_seconds",
     gauge,
     {},
     "Start of the process, in seconds since 1970.",
     process_value<&P::start_time_seconds>},
    {"process_threads", gauge, {}, "Threads of the process.", process_value<&P::threads>},
};

}  // namespace

std::size_t Metric::label_count() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(labels, [](const Label& label) { return !label.name.empty(); }));
}

std::span<const Metric> catalogue() {
  return metrics;
}

}  // namespace synward::metrics
