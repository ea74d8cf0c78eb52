import ray
from chexone_ray.data.stream import read_samples
from chexone_ray import storage
from chexone_ray.config import SamplingConfig
from chexone_ray.records import Request
def test_probe(manifest_uri, engine, tiny_model_uri):
    print(storage.committed(manifest_uri))
    print(len(read_samples(manifest_uri, "train")), len(read_samples(manifest_uri, "test")))
    print(ray.get(engine.health.remote(), timeout=60))
