"""Results that outlive the run that made them."""

import json
import os
import pickle
import threading

import fsspec
import pytest

from runtime.results import (
    LocalResultStorage,
    MemoryResultStorage,
    RemoteResultStorage,
    ResultError,
    StoredResult,
    current_result_storage,
    result_storage,
)
from runtime.settings import temporary_settings


class Evil:
    """A pickle of it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def storage(tmp_path) -> LocalResultStorage:
    return LocalResultStorage(tmp_path / "results")


def only_file(storage):
    [file] = storage.folder.glob("*.result")
    return file


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_result_comes_back_as_it_was_kept(kind, storage):
    storage = storage if kind == "local" else MemoryResultStorage()

    storage.write("key", StoredResult({"rows": [1, 2]}, expires=17.5))

    assert storage.read("key") == StoredResult({"rows": [1, 2]}, 17.5)
    assert storage.read("another key") is None


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_result_takes_the_place_of_the_one_before(kind, storage):
    storage = storage if kind == "local" else MemoryResultStorage()

    storage.write("key", StoredResult("old"))
    storage.write("key", StoredResult("new"))

    assert storage.read("key") == StoredResult("new")


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a/b\0c", "\N{SNAKE}" * 1000, "\udc80"])
def test_any_text_may_be_a_key(storage, key):
    storage.write(key, StoredResult(1))

    assert storage.read(key) == StoredResult(1)
    assert only_file(storage).parent == storage.folder


def test_only_the_user_may_enter_the_folder(storage):
    storage.write("key", StoredResult("secret"))

    assert storage.folder.stat().st_mode & 0o777 == 0o700
    assert only_file(storage).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_not_read_since_a_pickle_runs_what_it_says(storage, mode):
    storage.write("key", StoredResult(1))
    storage.folder.chmod(mode)

    with pytest.raises(ResultError, match="others may write to"):
        storage.read("key")
    with pytest.raises(ResultError, match="others may write to"):
        storage.write("key", StoredResult(1))


def test_a_value_that_cannot_be_pickled_is_an_error_that_names_its_type(storage):
    with pytest.raises(ResultError, match=r"A result of type _thread.lock cannot be kept: cannot pickle"):
        storage.write("key", StoredResult(threading.Lock()))
    assert not storage.folder.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda content: content.replace(b"\n", b"", 1),
        lambda content: b"not json\n" + content.partition(b"\n")[2],
        lambda content: b"[]\n" + content.partition(b"\n")[2],
        lambda content: content[:-3] + b"xyz",
    ],
)
def test_a_file_that_is_not_whole_is_not_used_and_spoken_of(storage, damage, caplog):
    storage.write("key", StoredResult([1, 2, 3]))
    file = only_file(storage)
    file.write_bytes(damage(file.read_bytes()))

    assert storage.read("key") is None
    assert "The result kept under 'key'" in caplog.text


def test_the_pickle_of_a_damaged_file_is_not_run(storage, tmp_path):
    storage.write("key", StoredResult(1))
    file = only_file(storage)
    header = file.read_bytes().partition(b"\n")[0]
    file.write_bytes(header + b"\n" + pickle.dumps(Evil(tmp_path / "was here")))

    assert storage.read("key") is None
    assert not (tmp_path / "was here").exists()


def test_a_result_of_a_class_that_is_gone_is_not_used(storage, caplog):
    class Local:
        pass

    Local.__qualname__ = "Gone"
    globals()["Gone"] = Local
    try:
        storage.write("key", StoredResult(Local()))
    finally:
        del globals()["Gone"]

    assert storage.read("key") is None
    assert "is not used" in caplog.text


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("in the way")
    storage = LocalResultStorage(tmp_path / "file")

    with pytest.raises(ResultError, match=r"'key' cannot be kept in .*file"):
        storage.write("key", StoredResult(1))
    with pytest.raises(ResultError, match=r"'key' cannot be read from .*file"):
        storage.read("key")


def test_nothing_is_left_behind_where_a_result_could_not_be_kept(storage):
    storage.write("key", StoredResult(1))
    file = only_file(storage)
    file.unlink()
    file.mkdir()  # in the way of the move

    with pytest.raises(ResultError):
        storage.write("key", StoredResult(2))
    assert {each.name for each in storage.folder.iterdir()} == {file.name, ".key"}


def test_many_may_write_one_result_at_once_and_it_is_always_whole(storage):
    begin = threading.Barrier(5)
    seen = []

    def write(number):
        begin.wait(30)
        for _ in range(20):
            storage.write("key", StoredResult([number] * 10_000))

    def read():
        begin.wait(30)
        for _ in range(100):
            found = storage.read("key")
            if found is not None:
                seen.append(set(found.value))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert all(len(numbers) == 1 for numbers in seen)
    assert len(list(storage.folder.iterdir())) == 2  # the result, and the key


def test_results_are_kept_in_the_home_of_the_user_s_flows_unless_said_otherwise(flows_home):
    assert current_result_storage().folder == flows_home / "results"

    with result_storage(MemoryResultStorage()) as storage:
        assert current_result_storage() is storage
    assert current_result_storage().folder == flows_home / "results"


def test_a_result_that_was_moved_to_the_place_of_another_is_not_taken_for_it(storage, caplog):
    storage.write("mine", StoredResult(1))
    mine = only_file(storage)
    storage.write("yours", StoredResult(2))
    yours = next(file for file in storage.folder.glob("*.result") if file != mine)
    mine.replace(yours)

    assert storage.read("yours") is None
    assert "it was kept under 'mine'" in caplog.text


@pytest.mark.parametrize("field", ["expires", "serializer", "key"])
def test_what_describes_a_result_is_signed_too(storage, field, caplog):
    storage.write("key", StoredResult(1, expires=5.0))
    file = only_file(storage)
    header, _, body = file.read_bytes().partition(b"\n")
    signature, _, line = header.partition(b" ")
    described = json.loads(line) | {field: "json" if field == "serializer" else 10.0**9}
    file.write_bytes(signature + b" " + json.dumps(described).encode() + b"\n" + body)

    assert storage.read("key") is None
    assert "its signature is wrong" in caplog.text


class TestRemoteResultStorage:
    """On file systems of fsspec's own: its memory, and the disk."""

    @pytest.fixture(params=["memory", "file"])
    def url(self, request, tmp_path):
        if request.param == "file":
            yield f"file://{tmp_path}/results"
            return
        memory = fsspec.filesystem("memory")
        memory.makedirs(f"/{tmp_path.name}/results")
        yield f"memory://{tmp_path.name}/results"
        memory.rm(f"/{tmp_path.name}", recursive=True)

    @pytest.fixture(params=["json", "pickle"])
    def remote(self, request, url):
        return RemoteResultStorage(url, request.param, "a secret of some length")

    @staticmethod
    def files(storage):
        return storage._files.glob(f"{storage._folder}/*.result")

    def test_a_result_comes_back_as_it_was_kept(self, remote):
        remote.write("key", StoredResult({"rows": [1, 2]}, expires=17.5))
        remote.write("key", StoredResult({"rows": [3]}, expires=18.5))

        assert remote.read("key") == StoredResult({"rows": [3]}, 18.5)
        assert remote.read("another key") is None
        assert len(self.files(remote)) == 1

    def test_one_that_somebody_else_wrote_is_not_read(self, remote, url, caplog, tmp_path):
        theirs = RemoteResultStorage(url, "pickle", "some other secret")
        theirs.write("key", StoredResult(Evil(tmp_path / "was here")))

        assert remote.read("key") is None
        assert "its signature is wrong" in caplog.text
        assert not (tmp_path / "was here").exists()

    def test_one_that_is_not_whole_is_not_read(self, remote, caplog):
        remote.write("key", StoredResult([1, 2, 3]))
        (path,) = self.files(remote)
        remote._files.pipe_file(path, remote._files.cat_file(path)[:-1])

        assert remote.read("key") is None
        assert "its checksum is wrong" in caplog.text

    def test_what_is_unwanted_is_deleted_unread(self, remote):
        remote.write("old", StoredResult(1, expires=1.0))
        remote.write("new", StoredResult(2))

        assert remote.forget(lambda key, expires: expires is not None) == 1
        assert (remote.read("old"), remote.read("new")) == (None, StoredResult(2))

    def test_it_travels_to_workers(self, remote):
        remote.write("key", StoredResult(1))

        assert pickle.loads(pickle.dumps(remote)).read("key") == StoredResult(1)

    def test_pickles_without_a_secret_are_refused(self, url):
        with pytest.raises(ResultError, match="are not used without a secret"):
            RemoteResultStorage(url, "pickle")

    @pytest.mark.parametrize("bad", ["nosuch://place/x", "nosuch://u:p@x"])
    def test_a_place_that_is_not_known_is_named_without_its_password(self, bad):
        with pytest.raises(ResultError, match="Results cannot be kept in") as raised:
            RemoteResultStorage(bad)
        assert "u:p" not in str(raised.value)

    def test_a_place_that_fails_is_an_error_that_names_it(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        storage = RemoteResultStorage(f"file://{tmp_path}/file")

        with pytest.raises(ResultError, match=r"'key' cannot be kept in file://.*/file"):
            storage.write("key", StoredResult(1))
        with pytest.raises(ResultError, match=r"'key' cannot be read from file://.*/file"):
            storage.read("key")

    def test_it_is_in_force_where_the_settings_say_so(self, url):
        with temporary_settings(result_storage=url, result_serializer="json"):
            current_result_storage().write("key", StoredResult([1]))
            assert current_result_storage().read("key") == StoredResult([1])
        assert RemoteResultStorage(url).read("key") == StoredResult([1])
