"""The sample from its first apply to its last trace."""

from tests.scenarios.harness import CONSUMER_KEY, PLATFORM, SERVICE, SUBSCRIPTION, a_world, sample


async def test_the_sample_becomes_ready_and_live_and_its_developer_has_a_key() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        assert await world.told(PLATFORM, "Ready") == ("True", "Ready"), await world.message(PLATFORM)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        assert await world.told(SERVICE, "DevelopersReady") == ("True", "Ready")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        (tenant,) = world.around.porta
        (application,) = tenant.people.applications.values()
        assert (application.user_key, application.state) == (await world.key(CONSUMER_KEY), "live")
