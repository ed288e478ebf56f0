"""Where ids, names and chance come from: really at random here, from a seed in a simulation."""

import os
import random
from typing import Protocol
from uuid import UUID


class Identities(Protocol):
    """Gives runs their ids and names, and the engine its chance."""

    def flow_run_id(self, parent: UUID | None, flow_name: str, n: int) -> UUID:
        """An id for the ``n``-th run of the flow within the run ``parent``."""
        ...

    def flow_run_name(self, flow_run_id: UUID) -> str:
        """Two words that people can remember."""
        ...

    def task_run_id(self, flow_run_id: UUID | None, task_run_path: str) -> UUID:
        """An id for the task run that ``task_run_path`` names within its flow run."""
        ...

    def fraction(self, run_id: UUID, attempt: int) -> float:
        """A number in [0, 1), for the jitter of the delay after ``attempt`` of the run."""
        ...


class RandomIdentities:
    """Ids and names that never come twice, also after a fork."""

    def __init__(self) -> None:
        # Seeded once from the system: uuid4 asks the kernel each time and costs four times as much.
        self._random = random.Random(os.urandom(32))  # noqa: S311 - names, not secrets
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: self._random.seed(os.urandom(32)))

    def flow_run_id(self, parent: UUID | None, flow_name: str, n: int) -> UUID:  # noqa: ARG002
        """A random id."""
        return UUID(int=self._random.getrandbits(128), version=4)

    def flow_run_name(self, flow_run_id: UUID) -> str:
        """Two random words."""
        return name_from(flow_run_id)

    def task_run_id(self, flow_run_id: UUID | None, task_run_path: str) -> UUID:  # noqa: ARG002
        """A random id."""
        return UUID(int=self._random.getrandbits(128), version=4)

    def fraction(self, run_id: UUID, attempt: int) -> float:  # noqa: ARG002
        """A random number in [0, 1)."""
        return self._random.random()


def name_from(run_id: UUID) -> str:
    """The two words that belong to an id, such as ``olivine-swan``."""
    number = run_id.int >> 66
    return f"{_QUALITIES[number % len(_QUALITIES)]}-{_ANIMALS[number // 1024 % len(_ANIMALS)]}"


_QUALITIES = """
amber ample aqua ardent ashen auburn avid azure balmy beige blithe bold brave brisk bronze calm candid
carmine cheery chrome clear clever cobalt copper coral cosmic crimson crisp cyan daring deft discreet eager
earnest ebony elated emerald fabled fair fancy fearless fern festive fleet fond frosty gallant garnet gentle
gilded glad golden graceful hardy hazel honest humble indigo ivory jade jasper jolly jovial keen khaki kind
lapis lavender lilac lively lucid lunar magenta maroon mellow merry mild mint misty modest mustard navy neat
nimble noble ochre olivine onyx opal orange orchid pearl peridot placid plucky polite prompt proud quaint
quartz quick quiet radiant rosy ruby russet saffron sage sapphire scarlet sepia serene sienna silent silver
sincere sleek slate solar spry steady stoic sunny swift tan teal tender topaz tranquil trusty turquoise
umber upbeat valiant velvet violet vivid warm watchful wise witty zesty
""".split()

_ANIMALS = """
adder albatross alpaca ant antelope badger barracuda bat bear beaver bee bison boar bobcat buffalo bullfinch
bumblebee bunting buzzard camel caracal caribou carp cat chamois cheetah chipmunk civet cobra cod condor
cormorant cougar coyote crane cricket crow cuckoo curlew deer dingo dolphin dormouse dove dragonfly duck
dugong dunlin eagle echidna eel egret eland elk emu falcon ferret finch firefly flamingo fox frog gazelle
gecko gibbon giraffe goat goldfinch goose gorilla grebe grouse gull hamster hare harrier hawk hedgehog heron
hippo hornet horse hyena ibex ibis iguana impala jackal jaguar jay kestrel kingfisher kite kiwi koala kudu
lark lemming lemur leopard lion lizard llama lobster lynx macaw magpie mallard manatee marlin marmot marten
meerkat mink mole mongoose moose moth mouse mule narwhal newt nightjar numbat ocelot octopus okapi opossum
oriole oryx osprey otter owl ox panda panther parrot partridge pelican penguin perch pheasant pigeon pika
pike plover pony porcupine puffin puma python quail quetzal rabbit raccoon ram raven reindeer robin rook
salmon sandpiper seal serval shark shrew skunk skylark snail snipe sparrow squid squirrel stag starling
stingray stoat stork sturgeon swan swift tapir tarsier teal tern thrush tiger toad toucan trout turtle viper
vole vulture wallaby walrus warbler wasp weasel whale wolf wombat woodpecker wren yak zebra
""".split()
