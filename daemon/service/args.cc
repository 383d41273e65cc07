// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/args.h"

#include <CLI/CLI.hpp>
#include <vector>

namespace synward::service {
namespace {

EarlyExit usage_error(const std::string& complaint) {
  return {.status = exit_usage, .text = "synward: " + complaint + "\nTry 'synward --help'.\n"};
}

EarlyExit unexpected_word(const std::string& word) {
  const bool is_option = word.size() > 1 && word.front() == '-';
  return usage_error((is_option ? "unknown option '" : "unexpected argument '") + word + "'");
}

}  // namespace

std::string_view version() {
  return SYNWARD_VERSION;
}

std::expected<Args, EarlyExit> parse_args(int argc, const char* const* argv) {
  Args args;
  bool show_version = false;
  CLI::App app{
      "Protects TCP services from SYN floods: answers SYNs with cookies, connects a "
      "client to its backend once it has proved its address.",
      "synward"};
  app.add_option("-c,--config", args.config_file, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  // Without disable_flag_override, --check-config=false would start the daemon.
  app.add_flag("-t,--check-config", args.check_config, "Check the configuration and exit")
      ->disable_flag_override();
  app.add_flag("--dump-config", args.dump_config, "Print the effective configuration and exit")
      ->disable_flag_override();
  app.add_flag("-V,--version", show_version, "Print the version and exit")->disable_flag_override();
  app.add_flag("-v", args.verbose, "Log also what clients are offered and where workers run")
      ->disable_flag_override();
  app.allow_extras();  // so that the complaint about them is ours

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(EarlyExit{.status = exit_ok, .text = app.help()});
  } catch (const CLI::ParseError& error) {
    return std::unexpected(usage_error(error.what()));
  }
  std::vector<std::string> extras = app.remaining();
  std::erase(extras, "--");  // allow_extras() keeps the end-of-options mark
  if (!extras.empty()) return std::unexpected(unexpected_word(extras.front()));
  if (show_version) {
    return std::unexpected(
        EarlyExit{.status = exit_ok, .text = "synward " + std::string(version()) + "\n"});
  }
  return args;
}

}  // namespace synward::service
