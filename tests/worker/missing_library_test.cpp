#include "worker/missing_library.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "measure/plan.h"
#include "paths.h"
#include "sim_fixture.h"

namespace {

using ridge::Client;

std::string error_of_start(const std::string& executable) {
  auto client = Client::start(executable, 1, sim_test::kPatience);
  return client ? "" : client.error().message;
}

bool holds(const std::string& text, const char* part) { return text.find(part) != text.npos; }

TEST(MissingLibrary, AWorkerSaysWhichAndWhereItLooked) {
  const sim_test::Environment folders = {{"LD_LIBRARY_PATH", "/nowhere/frameworks:/tmp"}};
  const std::string error = error_of_start(paths::worker());
  EXPECT_TRUE(holds(error, "libridge_ghost.so")) << error;
  EXPECT_TRUE(holds(error, "looked in /nowhere/frameworks, /tmp, ")) << error;
  EXPECT_TRUE(holds(error, "/etc/ld.so.cache")) << error;
  EXPECT_TRUE(holds(error, "/usr/lib")) << error;
  EXPECT_FALSE(holds(error, "libc.so")) << "what is there is not missing";
  EXPECT_FALSE(holds(error, "hwcaps")) << "every folder once";
  EXPECT_EQ(error.find('\n'), std::string::npos);
}

TEST(MissingLibrary, OneOfAnotherVersionIsToldByItsSymbol) {
  const sim_test::Environment folders = {{"LD_LIBRARY_PATH", paths::ghost_other_folder()}};
  const auto client = Client::start(paths::worker(), 1, sim_test::kPatience);
  ASSERT_FALSE(client);
  EXPECT_TRUE(holds(client.error().message, "undefined symbol")) << client.error().message;
  EXPECT_TRUE(holds(client.error().message, "of another version")) << client.error().message;
  EXPECT_TRUE(client.error().unsupported);
}

TEST(MissingLibrary, NothingIsBroken) {
  EXPECT_TRUE(Client::start(paths::worker(), 1, sim_test::kPatience).error().unsupported);
  const sim_test::Environment folders = {{"LD_LIBRARY_PATH", paths::ghost_library_folder()}};
  EXPECT_FALSE(Client::start(paths::worker(), 1, sim_test::kPatience).error().unsupported)
      << "it exits, and that is broken";
}

TEST(MissingLibrary, WhereItIsFoundTheWorkerSpeaksForItself) {
  const sim_test::Environment folders = {{"LD_LIBRARY_PATH", paths::ghost_library_folder()}};
  EXPECT_TRUE(holds(error_of_start(paths::worker()), "exited with code 3"));
  EXPECT_FALSE(ridge::explain_missing_libraries(paths::worker()));
}

TEST(MissingLibrary, IsAFailureOnlyWhereTheWorkerWasAskedFor) {
  ridge::PlanQuery query;
  query.workers = {{"ghost", paths::worker()}};
  query.items = {{ridge::Gemm{.m = 4, .n = 4, .k = 4}, {}}};
  for (const bool named : {false, true}) {
    query.named = named;
    const ridge::Plan plan = ridge::make_plan(query, {});
    ASSERT_EQ(plan.rows.size(), 1u);
    EXPECT_EQ(plan.rows[0].skip_status, named ? ridge::Status::failed : ridge::Status::unsupported);
    EXPECT_TRUE(holds(plan.rows[0].skip.value(), "libridge_ghost.so"));
  }
}

TEST(MissingLibrary, ALibraryThatIsCutShortIsNamed) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("ridge-cut-" + std::to_string(static_cast<long>(::getpid())));
  std::filesystem::create_directories(folder);
  const auto copy = folder / "libridge_ghost.so";
  std::filesystem::copy_file(
      std::filesystem::path(paths::ghost_library_folder()) / "libridge_ghost.so", copy,
      std::filesystem::copy_options::overwrite_existing);
  const sim_test::Environment folders = {{"LD_LIBRARY_PATH", folder.string()}};
  EXPECT_FALSE(ridge::explain_cut_library(paths::worker())) << "it is whole";
  std::filesystem::resize_file(copy, 6000);
  const auto why = ridge::explain_cut_library(paths::worker());
  ASSERT_TRUE(why);
  EXPECT_TRUE(holds(*why, (copy.string() + " is cut short: 5.86 KiB of ").c_str())) << *why;
  std::filesystem::resize_file(copy, 100);
  EXPECT_TRUE(ridge::explain_cut_library(paths::worker())) << "not even its headers are whole";
  std::filesystem::remove_all(folder);
}

TEST(MissingLibrary, OnlyTheLoadersOwnLineCounts) {
  EXPECT_TRUE(ridge::lacks_a_library(
      "x: error while loading shared libraries: libtorch.so: cannot open shared object file: No "
      "such file or directory"));
  EXPECT_FALSE(ridge::lacks_a_library("ModuleNotFoundError: No module named 'numpy'"));
  // This one tells all there is to tell.
  EXPECT_FALSE(ridge::lacks_a_library(
      "x: error while loading shared libraries: libc.so: invalid ELF header"));
}

TEST(MissingLibrary, SeveralAreNamedTogether) {
  const auto says = ridge::describe_missing_libraries(
      "\tlibtorch.so => not found\n\tlibc10.so => not found\n\tlibc.so.6 => /lib/libc.so.6 "
      "(0x7f)\n",
      "  1:\tfind library=libtorch.so [0]; searching\n"
      "  1:\t  trying file=/opt/x/bin/../lib/glibc-hwcaps/x86-64-v3/libtorch.so\n"
      "  1:\t  trying file=/opt/x/bin/../lib/libtorch.so\n"
      "  1:\tfind library=libc10.so [0]; searching\n"
      "  1:\t  trying file=/opt/x/lib/libc10.so\n"
      "  1:\tfind library=libc.so.6 [0]; searching\n"
      "  1:\t  trying file=/lib/libc.so.6\n");
  EXPECT_EQ(says,
            "needs libtorch.so and libc10.so, which are not found here (looked in /opt/x/lib; "
            "LD_LIBRARY_PATH adds folders: PyTorch's lie in \"$(python3 -c 'import torch; "
            "print(torch.__path__[0])')/lib\")");
  EXPECT_FALSE(ridge::describe_missing_libraries("\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n", ""));
  EXPECT_FALSE(ridge::describe_missing_libraries("", "garbage"));
}

}  // namespace
